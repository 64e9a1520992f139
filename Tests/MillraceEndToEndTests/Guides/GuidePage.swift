import Testing

/// README.md, or a page of the guides, as a reader sees it: fenced blocks, links, and what stands in backquotes.
struct GuidePage: Sendable, CustomTestStringConvertible {
    /// A fenced block that the test runs.
    struct Block: Sendable {
        enum Language: String, Sendable {
            case sh
            case sql
        }

        var language: Language
        var text: String
        /// Of the fence, counted from 1.
        var line: Int
        /// Of the `text` block right after it: what it prints, `…` for anything.
        var expected: [Substring] = []
    }

    static let readme = GuidePage("README.md")
    /// Every page of the catalogue.
    static let guides = ((try? Repository.pages()) ?? []).map { String($0.dropFirst(Repository.root.count + 1)) }
        .filter { $0 != "README.md" }.map(GuidePage.init)
    /// What each pack folds, with the queries of the guide that it is for.
    static let packs = ["analytics", "casework", "commerce", "conversations", "product", "workspaces"]
        .map { GuidePage("sql/packs/\($0)/EVENTS.md") }
    static let network = GuidePage("Sources/millrace/Millrace.docc/Network.md")
    static let all =
        [readme, GuidePage("CONTRIBUTING.md"), GuidePage("SECURITY.md"), GuidePage("Benchmarks/README.md")] + guides
        + packs

    /// From the repository's root.
    let path: String
    let text: String

    private init(_ path: String) {
        self.path = path
        text = TextFile.read("\(Repository.root)/\(path)")
    }

    var testDescription: String { path }

    /// In the order of the page.
    var blocks: [Block] {
        var blocks: [Block] = []
        for fence in fences {
            if let language = Block.Language(rawValue: fence.info) {
                blocks.append(Block(language: language, text: fence.text, line: fence.line))
            } else if fence.info == "text", fence.followsBlock, let last = blocks.indices.last {
                blocks[last].expected = fence.text.split(separator: "\n")
            }
        }
        return blocks
    }

    /// The texts of fenced blocks of another language than those that are run with the page.
    func texts(of language: String) -> [String] { fences.filter { $0.info == language }.map(\.text) }

    /// What stands behind the backquotes that open a fenced block, and its line.
    var infos: [(info: String, line: Int)] { fences.map { ($0.info, $0.line) } }

    /// What a link leads to, without links to the web.
    var links: [Substring] {
        prose.matches(of: #/\]\(([^)\s]+)\)/#).map(\.output.1).filter { !$0.contains("://") }
    }

    /// The anchors that a forge makes of its headings.
    var anchors: Set<String> {
        Set(
            prose.split(separator: "\n").filter { $0.hasPrefix("#") }.map { heading in
                heading.drop { $0 == "#" || $0 == " " }.lowercased().filter {
                    $0.isLetter || $0.isNumber || $0 == "-" || $0 == " " || $0 == "_"
                }.replacing(" ", with: "-")
            })
    }

    /// Texts in backquotes, outside of fences.
    var words: Set<Substring> { Set(prose.matches(of: #/`([^`\n]+)`/#).map(\.output.1)) }

    /// The words in backquotes in the first column of tables.
    var firstColumns: [Substring] {
        prose.split(separator: "\n").filter { $0.hasPrefix("| `") }
            .flatMap { row in
                (row.dropFirst().split(separator: "|").first ?? "").matches(of: #/`([^`]+)`/#).map(\.output.1)
            }
    }

    private struct Fence {
        var info: String
        var text: String
        var line: Int
        /// Whether only blank lines stand between it and the block before, and that one is run.
        var followsBlock: Bool
    }

    private var fences: [Fence] {
        var fences: [Fence] = []
        var open: (info: String, lines: [Substring], line: Int)?
        var isRightAfter = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = line.drop { $0 == " " }
            if let current = open {
                guard trimmed == "```" else {
                    open?.lines.append(line)
                    continue
                }
                fences.append(
                    Fence(
                        info: current.info, text: current.lines.joined(separator: "\n") + "\n", line: current.line,
                        followsBlock: isRightAfter))
                isRightAfter = Block.Language(rawValue: current.info) != nil
                open = nil
            } else if trimmed.hasPrefix("```") {
                open = (String(trimmed.dropFirst(3)), [], index + 1)
            } else if !trimmed.isEmpty {
                isRightAfter = false
            }
        }
        return fences
    }

    /// Without fenced blocks.
    private var prose: String {
        var isFenced = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            guard line.drop(while: { $0 == " " }).hasPrefix("```") else { return !isFenced }
            isFenced.toggle()
            return false
        }.joined(separator: "\n")
    }
}
