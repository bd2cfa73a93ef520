import Foundation

/// Ends a crashing process at once and without output; the shell reports it. Swift's own account of a crash shows
/// registers and the memory that they point to, where a token may lie, and takes its time, in which a lock is still
/// held.
func muteCrashReports() {
    for fault in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] { signal(fault, SIG_DFL) }
}

/// Turns signals that end a process for a failed write into errors of that write: to a pipe whose reader is gone, and
/// to a file beyond the limit of its size (`ulimit -f`).
func ignoreWriteSignals() {
    for fault in [SIGPIPE, SIGXFSZ] { signal(fault, SIG_IGN) }
}
