/// What `GET /api/v1/stats-fast/dashboard` answers, its users as a test wants them.
struct DashboardAnswer<User: Decodable>: Decodable {
    struct Billing: Decodable {
        var top_users: [User]
        var identity: String
    }

    var billing_stats: Billing
}
