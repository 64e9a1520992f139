internal import Glibc
internal import MillraceCommands

exit(await CommandLineTool.run(Array(CommandLine.arguments.dropFirst())))
