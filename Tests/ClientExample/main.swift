import Foundation
import MillraceClient

let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 7171
let configuration = MillraceClient.Configuration(host: "127.0.0.1", port: port)
try await MillraceClient.withClient(configuration) { client in
    // Returns once the daemon has it on its disk.
    let user = UUID(uuidString: "843d440a-a7a7-45ee-96df-3568c37384b9")
    let paid = try MillraceClient.Event("order.paid", userID: user, payload: ["order": 7, "total": 12.5])
    try await client.send(paid)
    // The same event again counts once: its id was made with it.
    try await client.send(paid)

    // Returns once it is in the buffer. `flush` waits for the answers, and tells what was refused.
    for page in ["/", "/docs", "/docs/clients"] {
        try await client.enqueue(MillraceClient.Event("page.viewed", payload: ["path": .string(page)]))
    }
    try await client.enqueue(MillraceClient.Event(""))
    let report = try await client.flush()
    print("accepted: \(report.acceptedCount)")
    for refusal in report.refusals { print("refused: \(refusal.code): \(refusal.message)") }
}
