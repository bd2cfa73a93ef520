import Glibc

/// Opens on `/dev/null` each of stdin, stdout and stderr that the caller has closed. Otherwise the next socket or file
/// would take its number, and a line meant for stderr would go to the database.
func openStandardStreams() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
        guard fcntl(descriptor, F_GETFD) < 0, errno == EBADF else { continue }
        // This is the lowest free number, since those below it are open already.
        if open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY) >= 0 { continue }
        // Without /dev, as in a bare chroot: a folder, which can be neither read nor written, holds the place.
        _ = open("/", O_RDONLY | O_DIRECTORY)
    }
}
