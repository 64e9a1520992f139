"""Speaks with `millrace mcp` by the SDK for clients of PyPI: usage in MCPTests.swift.

call.py CALLS COMMAND ARGUMENTS…

CALLS is a JSON file, a list of [tool, arguments]. Prints one JSON object: the server, its tools, and what each call gave.
"""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main():
    calls = json.load(open(sys.argv[1]))
    server = StdioServerParameters(command=sys.argv[2], args=sys.argv[3:], env=dict(os.environ))
    async with stdio_client(server) as (reader, writer):
        async with ClientSession(reader, writer) as session:
            greeting = await session.initialize()
            await session.send_ping()
            tools = (await session.list_tools()).tools
            # All at once, as assistants do.
            results = await asyncio.gather(*(session.call_tool(name, arguments) for name, arguments in calls))
    print(
        json.dumps(
            {
                "server": greeting.server_info.name,
                "protocol": greeting.protocol_version,
                "tools": [tool.name for tool in tools],
                "results": [
                    {"is_error": result.is_error, "text": "".join(part.text for part in result.content)}
                    for result in results
                ],
            }
        )
    )


asyncio.run(main())
