internal import ArgumentParser

/// Whose export it is: the pack that its events are for.
enum ImportSystem: String, CaseIterable, Encodable, ExpressibleByArgument {
    case workspaces
    case commerce
    case casework
    case conversations
}
