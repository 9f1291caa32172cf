/**
 * What `Deno.serve` comes to with nothing behind it: the same answer to everybody, with as many
 * headers as `/version` has. Takes the port as its argument.
 *
 * @module
 */

const BODY = "1.0.0\n3632233996\n1048576";

const HEADERS = {
  "content-type": "text/plain; charset=utf-8",
  "age": "0",
  "vary": "Accept",
  "etag": '"1.0.0/3632233996/1048576"',
  "cache-control": "no-cache",
  "x-request-id": "0b0e5a0a-4ec8-4a5f-b8a4-1a2b3c4d5e6f",
};

Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen: () => {},
}, () => new Response(BODY, { headers: HEADERS }));
