//! Defines the points between two side effects at which a test kills the program.
//!
//! They exist in the binary that tests build (feature `crash-points`, set by the tests' own
//! dependency on this crate) and nowhere else: every function here is empty without it.

#[cfg(feature = "crash-points")]
mod trigger;

use std::io;

/// A point that is passed between two side effects. Each is reached by the deterministic test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// The source is locked.
    Locked,
    /// What a dead run left of a state file is removed.
    LeftoverRemoved,
    /// A new state lies beside the old one.
    StateWritten,
    /// The new state has taken the old one's place, and the folder does not know for sure.
    StateReplaced,
    /// The new state is durable.
    StateDurable,
    /// A file was cut back, and the disk does not know for sure.
    CutBack,
    /// What stood behind the committed end was copied aside, and is still there.
    SetAside,
    /// A new output file exists, and the folder does not know for sure.
    OutputCreated,
    /// An output file is open.
    OutputOpened,
    /// A part of some lines is written.
    HalfAppended,
    /// Some lines are written.
    Appended,
    /// The member or frame of a commit is written to its end.
    Packed,
    /// The lines of a commit are durable.
    OutputDurable,
    /// A body lies durably beside the others, without its name.
    BodyWritten,
    /// A body has its name, and the folder does not know for sure.
    BodyNamed,
    /// The pages of a commit are durable, its events are not.
    PagesDurable,
    /// What is known of an export's runs was replaced.
    RequestReplaced,
    /// An export has its manifest, and its state still.
    Sealed,
    /// A part of an export's state was removed.
    StateRemoved,
    /// A finished file has its name, and the folder does not know for sure.
    Finished,
}

/// A system call that tests let fail as it does on a full disk, where no real file system can be
/// made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// `ftruncate`, which needs free space on btrfs.
    Truncate,
}

/// Fails where `ATLAUDIT_CRASH_FAULT` names `fault`.
///
/// # Errors
/// The disk is full, as a test pretends.
#[inline]
pub fn fails(fault: InjectedFault) -> io::Result<()> {
    #[cfg(feature = "crash-points")]
    return trigger::fail(fault);
    #[cfg(not(feature = "crash-points"))]
    {
        let _ = fault;
        Ok(())
    }
}

/// Dies here when it is this passage's turn.
#[inline]
pub fn point(here: CrashPoint) {
    #[cfg(feature = "crash-points")]
    trigger::pass(here);
    #[cfg(not(feature = "crash-points"))]
    let _ = here;
}

/// A limit that tests set low, so that few events make many commits: `usual`, but for
/// `ATLAUDIT_CRASH_<name>` in their environment.
#[inline]
pub fn limit(name: &str, usual: usize) -> usize {
    #[cfg(feature = "crash-points")]
    return trigger::number(name).unwrap_or(usual);
    #[cfg(not(feature = "crash-points"))]
    {
        let _ = name;
        usual
    }
}
