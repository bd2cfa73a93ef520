import CLinux

/// Gives back to the system at once what a large array leaves behind when it has grown, or is done with.
///
/// A body grows from array to array. Left alone, glibc keeps such blocks for its own use once a few have been freed, so
/// that answers which come one after the other take several times the memory of one.
enum LargeBlocks {
    static func returnAtOnce() {
        // Naming a threshold also keeps glibc from raising it.
        _ = mallopt(M_MMAP_THRESHOLD, 512 << 10)
    }
}
