"""tls.py <certificate> <key> <port>: TLS before a server of the tests.

Prints the port that it listens on, then a line for each connection whose client trusted the certificate. Ends when its
standard input does.
"""
import asyncio
import ssl
import sys

certificate, key, port = sys.argv[1:]


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def serve(reader, writer):
    print('connection', flush=True)
    there, back = await asyncio.open_connection('127.0.0.1', int(port))
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, '127.0.0.1', 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()
    sys.stdout.flush()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
