internal import Glibc
internal import MillraceCommands

EmptyVariables.remove()
exit(await CommandLineTool.run(Array(CommandLine.arguments.dropFirst())))
