//! The exit codes.

/// How a run ended. The numbers are a contract with scripts and schedulers; see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Everything requested was done.
    Done,
    /// A bug in atlaudit.
    Unexpected,
    /// The command line was wrong.
    Usage,
    /// Some source could not be read to its end; what was written is sound.
    Incomplete,
    /// A credential is missing, refused, expired or lacks a permission.
    Credential,
    /// A server demanded a longer wait than is allowed.
    RateLimited,
    /// The configuration is wrong.
    Config,
    /// The state is locked, damaged, written by a newer version, or cannot be kept; or the system
    /// refuses the files and threads that every run needs.
    State,
    /// The output cannot be written, or its reader went away.
    Output,
    /// An export does not match its manifest, or its sources.
    Different,
}

impl Exit {
    /// All exit codes.
    const ALL: [Exit; 10] = [
        Exit::Done,
        Exit::Unexpected,
        Exit::Usage,
        Exit::Incomplete,
        Exit::Credential,
        Exit::RateLimited,
        Exit::Config,
        Exit::State,
        Exit::Output,
        Exit::Different,
    ];

    /// The exit code with this number.
    pub fn of_code(code: u8) -> Option<Exit> {
        Exit::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Unexpected => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Credential => 4,
            Exit::RateLimited => 5,
            Exit::Config => 6,
            Exit::State => 7,
            Exit::Output => 8,
            Exit::Different => 9,
        }
    }

    /// The more severe of two exit codes, for a run over several sources.
    ///
    /// `Incomplete` outranks only `Done`: a source that failed for a reason that a person must
    /// mend (a refused key, a full disk) says more than one that the next run finishes by itself.
    pub fn worst(self, other: Exit) -> Exit {
        if self.rank() >= other.rank() {
            self
        } else {
            other
        }
    }

    fn rank(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Incomplete => 1,
            Exit::RateLimited => 2,
            Exit::Usage => 3,
            Exit::Config => 4,
            Exit::Credential => 5,
            Exit::Output => 6,
            Exit::State => 7,
            Exit::Different => 8,
            Exit::Unexpected => 9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn incomplete_outranks_success_only() {
        assert_eq!(Exit::Done.worst(Exit::Incomplete), Exit::Incomplete);
        assert_eq!(Exit::Incomplete.worst(Exit::Credential), Exit::Credential);
        assert_eq!(Exit::Output.worst(Exit::Incomplete), Exit::Output);
    }
}
