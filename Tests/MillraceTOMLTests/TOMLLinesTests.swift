import MillraceTOML
import Testing

struct TOMLLinesTests {
    @Test func `keys are found after comments, strings and lists over several lines`() {
        let lines = TOMLLines(
            """
            # [tcp]
            top = '''
            [no]
            listen = 1
            '''
            [tcp] # x = [
            listen = [
              "a = 1", # ]
              'b]',
            ]
            "backlog" = 5
            http.listen = "a # b"
            [ "ht.tp" . x ]
            y = \"\"\"
            z = \\\"\"\" 1
            \"\"\"
            after = { a = 1 }
            [[jwt.keys]]
            id = "a"
            [[jwt.keys]]
            id = "b"
            """)
        #expect(lines.line(of: ["top"]) == 2)
        #expect(lines.line(of: ["tcp"]) == 6)
        #expect(lines.line(of: ["tcp", "listen"]) == 7)
        #expect(lines.line(of: ["tcp", "backlog"]) == 11)
        #expect(lines.line(of: ["tcp", "http", "listen"]) == 12)
        #expect(lines.line(of: ["tcp", "http"]) == 12)
        #expect(lines.line(of: ["ht.tp", "x", "y"]) == 14)
        #expect(lines.line(of: ["ht.tp", "x", "after", "a"]) == 17)
        #expect(lines.line(of: ["jwt", "keys", "#0", "id"]) == 19)
        #expect(lines.line(of: ["jwt", "keys", "#1", "id"]) == 21)
        #expect(lines.line(of: ["jwt", "keys", "#1", "secret"]) == 20)
        #expect(lines.line(of: ["nowhere"]) == 1)
    }

    @Test func `a table within an array of tables belongs to the one begun last`() {
        let lines = TOMLLines(
            "[[fold]]\nname = 1\n[[fold.counts]]\nby = 1\n[[fold]]\n[fold.key]\na = 1\n[[fold.counts]]\nby = 2\n")
        #expect(lines.line(of: ["fold", "#0", "counts", "#0", "by"]) == 4)
        #expect(lines.line(of: ["fold", "#1", "key", "a"]) == 7)
        #expect(lines.line(of: ["fold", "#1", "counts", "#0", "by"]) == 9)
    }

    @Test func `lines may end with a carriage return`() {
        let lines = TOMLLines("[tcp]\r\nlisten = []\r\nbacklog=1\r\n")
        #expect(lines.line(of: ["tcp", "backlog"]) == 3)
    }
}
