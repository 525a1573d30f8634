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
    /// There is an alert of the severity that was to be looked for.
    Alerts,
    /// A response was refused before anything was sent: by a guard, or because its plan does not
    /// count any more.
    Guarded,
    /// Atlassian refused a response; nothing was changed.
    Rejected,
    /// A part of a response was done.
    PartlyDone,
    /// Whether a change was made is not known.
    OutcomeUnknown,
    /// What a monitoring plugin found, by the codes of these.
    Plugin(PluginState),
}

/// The states of the Monitoring Plugins guidelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginState {
    /// All is well.
    Ok,
    /// Someone should look at it.
    Warning,
    /// It does not work.
    Critical,
    /// Nothing can be said about it.
    Unknown,
}

impl Exit {
    /// All exit codes but a plugin's, the least severe first.
    ///
    /// `Incomplete` outranks only `Done`: a source that failed for a reason that a person must fix
    /// (a refused key, a full disk) matters more than one that the next run finishes by itself.
    const BY_SEVERITY: [Exit; 15] = [
        Exit::Done,
        Exit::Incomplete,
        Exit::RateLimited,
        Exit::Alerts,
        Exit::Usage,
        Exit::Config,
        Exit::Credential,
        Exit::Output,
        Exit::State,
        Exit::Different,
        Exit::Guarded,
        Exit::Rejected,
        Exit::PartlyDone,
        Exit::OutcomeUnknown,
        Exit::Unexpected,
    ];

    /// The exit code with this number.
    pub fn of_code(code: u8) -> Option<Exit> {
        Exit::BY_SEVERITY.into_iter().find(|exit| exit.code() == code)
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
            Exit::Alerts => 10,
            Exit::Guarded => 11,
            Exit::Rejected => 12,
            Exit::PartlyDone => 13,
            Exit::OutcomeUnknown => 14,
            Exit::Plugin(PluginState::Ok) => 0,
            Exit::Plugin(PluginState::Warning) => 1,
            Exit::Plugin(PluginState::Critical) => 2,
            Exit::Plugin(PluginState::Unknown) => 3,
        }
    }

    /// The more severe of two exit codes, for a run over several sources.
    pub fn worst(self, other: Exit) -> Exit {
        let rank = |exit| Exit::BY_SEVERITY.iter().position(|known| *known == exit);
        if rank(self) >= rank(other) { self } else { other }
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
