internal import NIOCore

extension HTTPConnectionStateMachine {
    /// A request may begin, until `end`. Who says nothing loses the place sooner when others want places: idle
    /// connections must not keep out a probe.
    mutating func awaitHead(until end: NIODeadline, isCrowded: Bool, now: NIODeadline) {
        due = (.idle(end: end), min(end, now.after(configuration.http.crowdedWait * (isCrowded ? 1 : 2))))
    }

    mutating func watchWriting(_ output: Output, now: NIODeadline) {
        due = (.writing(sentBytes: output.sentBytes), now.after(configuration.http.writeTimeout))
    }

    /// `deadline` may have come.
    mutating func deadlineElapsed(
        output: Output, isWritable: Bool, isCrowded: Bool, now: NIODeadline
    ) -> Action {
        guard now < drainEnd else { return close() }
        guard let (deadline, time) = due, time <= now else { return .none }
        due = nil
        switch deadline {
        case .idle(let end):
            guard now < end, !isCrowded else { return close() }
            awaitHead(until: end, isCrowded: false, now: now)
        case .head: return fail(HTTPProblem(.headersTooSlow, "the headers took too long"))
        case .body: return checkRate(isWritable: isWritable, now: now)
        case .writing(let sentBytes):
            if isOpen, output.unsentBytes == 0 { return .none }
            guard output.sentBytes > sentBytes else { return close() }
            watchWriting(output, now: now)
        case .held(let answer):
            if case .answering(let exchange) = state { return self.answer(answer, exchange) }
        case .linger: return close()
        }
        return .none
    }

    mutating func checkRate(isWritable: Bool, now: NIODeadline) -> Action {
        guard case .receiving(var exchange) = state else { return .none }
        let interval = configuration.http.bodyRateInterval
        guard exchange.window.isFastEnough(bytesPerSecondMin: configuration.http.bodyRateMin, over: interval)
        else { return fail(HTTPProblem(.bodyTooSlow, "the body came too slowly")) }
        exchange.window = HTTPBodyWindow(isHeld: !mayRead(isWritable: isWritable))
        state = .receiving(exchange)
        due = (.body, now.after(interval))
        return .none
    }
}

extension NIODeadline {
    func after(_ duration: Duration) -> NIODeadline { self + TimeAmount(duration) }
}
