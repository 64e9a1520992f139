import MillracePostgres
import Testing

struct ConnectionStringTests {
    @Test(arguments: [
        ("", ""),
        ("postgresql:///millrace?host=/var/run/postgresql", "postgresql:///millrace?host=/var/run/postgresql"),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@h1:1,h2:2/d", "postgresql://u:***@h1:1,h2:2/d"),
        ("postgresql://u:p%40w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p:w#x@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p?w@h/d?sslmode=require", "postgresql://u:***@h/d?sslmode=require"),
        ("postgresql://u:p?user=w@h/d", "postgresql://u:***@h/d"),
        ("postgres://u@h/d?password=x&sslmode=require", "postgres://u@h/d?password=***&sslmode=require"),
        ("postgres://h/d?user=a@b&sslpassword=x", "postgres://h/d?user=a@b&sslpassword=***"),
        ("postgres://h/d?pass%77ord=x", "postgres://h/d?pass%77ord=***"),
        ("postgres://h/d?passfile=/etc/pass", "postgres://h/d?passfile=/etc/pass"),
        ("host=h dbname=d", "dbname=d host=h"),
        ("host=h password=x user=u", "user=u password=*** host=h"),
        ("host=h password = 'a \\' b' user=u", "user=u password=*** host=h"),
        (#"host=h password=a\ b user='o\'neill x'"#, #"user='o\'neill x' password=*** host=h"#),
        ("host=h\tpassword\t=\tx", "password=*** host=h"),
        ("host=h password=x password=y", "password=*** host=h"),
        ("host=h dbname=postgresql://u:p@h/d", "dbname=*** host=h"),
    ])
    func `passwords go, the rest stays`(text: String, shown: String) {
        #expect(ConnectionString(text).shown == shown)
    }

    @Test(arguments: [
        "postgresql://u:p@ss:w@h/d", "postgresql://u:p/w@h/d", "postgresql://u:p%w@h/d",
        "postgresql://h?password=p@x/d", "postgresql://u:p/w?user=x@h/d", "postgresql://u:p@[h/d",
        "postgresql://u:p@h/d?nonsense=1",
    ])
    func `of a URL that libpq reads otherwise than it was meant nothing is shown`(text: String) {
        #expect(ConnectionString(text).shown == "postgresql://***")
    }

    @Test(arguments: ["password='open", "host=h password=a b", "passwort=x", "secret", "mysql://u:p@h/d", "a=b\0c"])
    func `of what libpq can't read nothing is shown`(text: String) {
        #expect(ConnectionString(text).shown == "***")
    }
}
