/// A segment file open for reading; closed when its last reader lets go of it.
final class OpenSegment: Sendable {
    let file: FileID
    private let fileSystem: any FileSystem

    init(_ file: FileID, _ fileSystem: any FileSystem) {
        self.file = file
        self.fileSystem = fileSystem
    }

    deinit {
        fileSystem.close(file)
    }
}
