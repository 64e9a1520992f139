internal import Glibc
internal import MillraceCommands

CommandLineTool.removeEmptyVariables()
exit(await CommandLineTool.run(Array(CommandLine.arguments.dropFirst())))
