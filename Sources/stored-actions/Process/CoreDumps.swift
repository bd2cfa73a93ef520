import CLinux

import Glibc

/// Keeps the process from leaving a core dump, which would hold the token. This also keeps other processes of the same
/// user from reading its memory or attaching a debugger.
enum CoreDumps {
    /// Set to 1, this variable allows core dumps and debuggers.
    static let variable = "STORED_ACTIONS_CORE_DUMPS"

    static func forbid() {
        // A core dump is not worth failing for, should a sandbox forbid this call.
        if getenv(variable).map({ String(cString: $0) }) != "1" { _ = linux_set_dumpable(0) }
    }
}
