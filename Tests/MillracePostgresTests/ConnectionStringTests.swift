import Testing

@testable import MillracePostgres

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
        ("postgresql+asyncpg://u:p@h/d?schema=app&sslpassword=x", "postgresql://u:***@h/d?sslpassword=***"),
    ])
    func `passwords go, the rest stays`(text: String, shown: String) {
        #expect(ConnectionString(text).shown == shown)
    }

    @Test(arguments: [
        ("postgresql://u:p@h1:1,h2:2,h3:3/d", [("h2,h3,h1", "2,3,1"), ("h3,h1,h2", "3,1,2")]),
        ("host=a,b port=5432 dbname=d password='x y'", [("b,a", "5432")]),
        ("host=a dbname=d", []), ("dbname=d", []), ("", []), ("postgresql://u:p@ss:w@h1,h2/d", []),
    ])
    func `each other host comes first in another order`(text: String, orders: [(String, String)]) {
        let others = ConnectionString(text).otherOrders
        #expect(others.count == orders.count)
        for (other, (hosts, ports)) in zip(others, orders) {
            #expect(other.contains("host='\(hosts)'") && other.contains("port='\(ports)'"), "\(other)")
            #expect(other.contains("dbname='d'"))
            #expect(text.contains("x y") == other.contains("password='x y'"))
        }
    }

    @Test func `a server of before a promotion is told from one of after it, and from another cluster`() {
        let newest = NewestTimeline(systemIdentifier: "7", timeline: 3)
        #expect(newest.isAfter(NewestTimeline(systemIdentifier: "7", timeline: 2)))
        #expect(!newest.isAfter(newest))
        #expect(!newest.isAfter(NewestTimeline(systemIdentifier: "7", timeline: 4)))
        #expect(!newest.isAfter(NewestTimeline(systemIdentifier: "8", timeline: 1)))
    }

    @Test(arguments: [
        "postgresql://u:p@ss:w@h/d", "postgresql://u:p/w@h/d", "postgresql://u:p%w@h/d",
        "postgresql://h?password=p@x/d", "postgresql://u:p/w?user=x@h/d", "postgresql://u:p@[h/d",
        "postgresql://u:p@h/d?nonsense=1", "postgresql+asyncpg://u:p@ss@h/d", "postgresql://u:p?schema=x@ss@h/d",
    ])
    func `of a URL that libpq reads otherwise than it was meant nothing is shown`(text: String) {
        #expect(ConnectionString(text).shown == "postgresql://***")
    }

    @Test(arguments: [
        "password='open", "host=h password=a b", "passwort=x", "secret", "mysql://u:p@h/d", "a=b\0c",
        "mysql+postgresql://u:p@h/d", "postgresql+://u:p@h/d", "postgresql+a/b://u:p@h/d",
    ])
    func `of what libpq can't read nothing is shown`(text: String) {
        #expect(ConnectionString(text).shown == "***")
    }

    @Test(arguments: [
        ("postgresql+asyncpg://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+psycopg2://u@h/d?sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("Postgres+psycopg2cffi://h/d", "postgres://h/d"),
        ("postgresql://h/d?schema=public", "postgresql://h/d"),
        ("postgresql://u:p?schema=x@h/d", "postgresql://u:p?schema=x@h/d"),
        (
            "postgresql://h/d?sslmode=require&schema=app&connect_timeout=3",
            "postgresql://h/d?sslmode=require&connect_timeout=3"
        ),
        ("postgresql://h/d?pgbouncer=true&connection_limit=1&pool_timeout=0", "postgresql://h/d"),
        ("postgresql+asyncpg://h/d?ssl=verify-full", "postgresql://h/d?sslmode=verify-full"),
        ("postgresql://h/d?ssl=true", "postgresql://h/d?ssl=true"),
        ("host=h dbname=schema", "host=h dbname=schema"), ("", ""),
    ])
    func `URLs of other clients are taken`(text: String, libpq: String) {
        let string = ConnectionString(text)
        #expect(string.libpq == libpq)
        #expect(string.flaw == nil)
    }

    @Test func `what was left out is named once`() {
        #expect(
            ConnectionString("postgresql://h/d?schema=a&pool_timeout=1&schema=b").leftOut == ["schema", "pool_timeout"])
        #expect(ConnectionString("postgresql://h/d?sslmode=require").leftOut.isEmpty)
    }
}
