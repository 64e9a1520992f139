import MillraceConfiguration
import Testing

struct ConnectionStringRedactionTests {
    @Test(arguments: [
        ("postgresql:///millrace?host=/var/run/postgresql", "postgresql:///millrace?host=/var/run/postgresql"),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@h1:1,h2:2/d", "postgresql://u:***@h1:1,h2:2/d"),
        ("postgresql://u:p@ss:w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p/w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p?w@h/d", "postgresql://u:***@h/d"),
        ("postgres://u@h/d?password=x&a=b", "postgres://u@h/d?password=***&a=b"),
        ("postgres://h/d?a=b&sslpassword=x", "postgres://h/d?a=b&sslpassword=***"),
        ("host=h password=x user=u", "host=h password=*** user=u"),
        ("host=h password = 'a \\' b' user=u", "host=h password=*** user=u"),
        ("password='open", "password=***"),
        ("host=h dbname=d", "host=h dbname=d"),
    ])
    func `passwords go, the rest stays`(text: String, redacted: String) {
        #expect(ConnectionStringRedaction.redact(text) == redacted)
    }
}
