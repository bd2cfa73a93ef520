import CEpoll
import Glibc

/// One thread for all connections, level-triggered.
struct EventLoop {
    private let listener: Listener
    private let service: Service
    private let epoll: Int32

    init(listener: Listener, service: Service) {
        self.listener = listener
        self.service = service
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { fail("epoll_create1") }
        watch(listener.descriptor, for: EPOLLIN, EPOLL_CTL_ADD)
    }

    func run() -> Never {
        /// By descriptor.
        var connections: [Int32: Connection] = [:]
        let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: 256)
        while true {
            let count = epoll_wait(epoll, events, 256, -1)
            guard count >= 0 || errno == EINTR else { fail("epoll_wait") }
            service.look()
            for event in UnsafeBufferPointer(start: events, count: Int(max(count, 0))) {
                let descriptor = event.data.fd
                if descriptor == listener.descriptor {
                    while let client = listener.accept() {
                        connections[client] = Connection(client)
                        watch(client, for: EPOLLIN, EPOLL_CTL_ADD)
                    }
                } else if let connection = connections[descriptor] {
                    let wasBlocked = connection.isBlocked
                    guard connection.proceed(service) else {
                        connections[descriptor] = nil
                        close(descriptor)
                        continue
                    }
                    // While an answer is on its way out, the requests behind it wait.
                    if connection.isBlocked != wasBlocked {
                        watch(descriptor, for: connection.isBlocked ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD)
                    }
                }
            }
        }
    }

    private func watch(_ descriptor: Int32, for events: EPOLL_EVENTS, _ operation: Int32) {
        var event = epoll_event(events: events.rawValue, data: epoll_data_t(fd: descriptor))
        guard epoll_ctl(epoll, operation, descriptor, &event) == 0 else { fail("epoll_ctl") }
    }
}
