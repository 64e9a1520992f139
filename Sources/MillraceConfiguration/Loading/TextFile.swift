internal import FoundationEssentials
internal import Glibc

/// Small files of text.
enum TextFile {
    /// Nil when it can't be read or isn't UTF-8; `reason` says why.
    static func read(_ path: String) -> String? {
        errno = 0
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        errno = EILSEQ
        return String(validating: data, as: UTF8.self)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Of the `read` that just failed, on this thread.
    static var reason: String {
        switch errno {
        case 0: "it is no regular file"
        case EILSEQ: "it is not UTF-8"
        default: String(cString: strerror(errno))
        }
    }

    /// `path`, where a relative one begins in the directory of `file`.
    static func resolve(_ path: String, beside file: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }
}

extension String {
    /// Without blanks and line ends at both ends.
    var trimmed: String {
        let isBlank = { (character: Character) in character.isWhitespace }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
