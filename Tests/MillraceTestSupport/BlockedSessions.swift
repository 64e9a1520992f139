/// Sessions that wait for another one's lock: of one database alone, since tests share servers.
package enum BlockedSessions {
    /// The statement that counts them. `program`: a pattern of LIKE for their application's name. `database`: an expression; a
    /// role that is no superuser sees its own sessions only.
    package static func count(of program: String = "%", in database: String = "current_database()") -> String {
        """
        SELECT count(*)
        FROM pg_stat_activity
        WHERE datname = \(database) AND application_name LIKE '\(program)' AND wait_event_type = 'Lock'
        """
    }
}
