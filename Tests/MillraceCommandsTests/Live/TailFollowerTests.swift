import MillraceConsole
import MillraceEvent
import Testing

@testable import MillraceCommands

struct TailFollowerTests {
    private func event(_ id: String, type: String = "t", payload: String = "{}", user: String = "null") -> String {
        #"{"id":"\#(id)","event_type":"\#(type)","user_id":\#(user),"payload":\#(payload),"created_at":"2026-11-30T17:00:00Z","received_at":"2026-11-30T17:00:00Z"}"#
    }

    private func message(_ data: String, name: String = "message") -> EventStreamSession.Step {
        .message(.init(name: name, lastID: "1", data: data))
    }

    @Test func `an event that comes again after a reconnection is shown once`() {
        var follower = TailFollower(isJSON: true)
        let lost = EventStreamSession.Step.lost(CommandError("the daemon ended the stream", hint: ""))
        #expect(follower.take(.connected) == [])
        #expect(follower.take(message(event("a"))) == [.event(event("a"))])
        #expect(follower.take(lost) == [.note("the daemon ended the stream; it is tried again")])
        #expect(follower.take(lost) == [])
        #expect(follower.take(.idle) == [])
        #expect(follower.take(.connected) == [.note("connected again")])
        #expect(follower.take(message(event("a"))) == [])
        #expect(follower.take(message(event("b"))) == [.event(event("b"))])
    }

    @Test func `it ends after so many events`() {
        var follower = TailFollower(isJSON: true, limit: 2)
        #expect(follower.take(message(event("a"))).count == 1 && !follower.isDone)
        #expect(follower.take(message(event("b"))).count == 1 && follower.isDone)
        #expect(follower.take(message(event("c"))) == [])
    }

    @Test func `what the stream says besides goes to standard error`() {
        var follower = TailFollower(isJSON: false)
        #expect(
            follower.take(message(#"{"count":1234,"total":1234}"#, name: "dropped")) == [
                .note("1,234 events are not shown: they came faster than they were read, or were too many")
            ])
        #expect(
            follower.take(message(#"{"count":null,"total":0}"#, name: "dropped")) == [
                .note("some events are not shown: they came faster than they were read, or were too many")
            ])
        #expect(
            follower.take(message(#"{"reason":"draining","message":"the daemon is stopping"}"#, name: "end")) == [
                .note("the daemon is stopping")
            ])
        #expect(follower.take(message(#"{"caught_up":3}"#, name: "live")) == [])
        #expect(follower.take(message("nonsense")) == [.note("the daemon sent something that is no event")])
    }

    @Test func `what is shown does nothing to a terminal`() throws {
        let hostile = event(
            "a", type: "t\u{9B}31m", payload: "{\"a\":\"\u{202E}x\u{85}\\u001b[2J\"}", user: "\"5eed\u{7F}\"")
        let text = try #require(TailedEvent(hostile)).text
        #expect(
            text == #"2026-11-30T17:00:00Z  t\u009b31m  user 5eed\u007f  {"a":"\u202ex\u0085\u001b[2J"}"#)
        #expect(try #require(TailedEvent(event("b"))).text == "2026-11-30T17:00:00Z  t")
    }

    @Test(arguments: [
        "", "{}", "[]", "null", #"{"id":1,"event_type":"t","payload":{},"created_at":""}"#, #"{"id":"a""#,
    ])
    func `what is no event is none`(text: String) {
        #expect(TailedEvent(text) == nil)
    }

    @Test func `since is a time, or so long ago`() {
        #expect(TailStart(argument: "10m") == .ago(Age(argument: "10m") ?? Age(hours: 0)))
        #expect(TailStart(argument: "2026-11-30") == .time("2026-11-30"))
        #expect(TailStart(argument: "") == nil)
        let now = Timestamp(microseconds: 1_764_522_600_000_000)
        #expect(TailStart(argument: "10m")?.text(at: now) == "2025-11-30T17:00:00.000000Z")
        #expect(TailStart(argument: "yesterday")?.text(at: now) == "yesterday")
    }
}
