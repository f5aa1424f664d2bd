/** The first words of other protocols, as they come to a port by mistake or to see who is there. */

const ascii = (text: string) => new TextEncoder().encode(text);

/** A TLS 1.2 record with a ClientHello (RFC 8446, 4.1.2) of two suites and no extension. */
function clientHello(): Uint8Array {
  const random = Uint8Array.from({ length: 32 }, (_, index) => (index * 37) & 0xff);
  const body = [0x03, 0x03, ...random, 0, 0, 4, 0x13, 0x01, 0x13, 0x02, 1, 0, 0, 0];
  const handshake = [0x01, 0, 0, body.length, ...body];
  return Uint8Array.of(0x16, 0x03, 0x01, 0, handshake.length, ...handshake);
}

/** PROXY protocol 2, the signature, then PROXY over TCP and IPv4, from 127.0.0.1:40000 to 127.0.0.1:80. */
const PROXY_2 = [
  0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c, 127, 0, 0, 1, 127, 0, 0, 1, 0x9c, 0x40, 0x00, 0x50,
]; // prettier-ignore

export const WRONG_PROTOCOLS: readonly Uint8Array[] = [
  clientHello(),
  ascii('GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: attack\r\n\r\n'),
  ascii('POST /cgi HTTP/1.0\r\nContent-Length: 4294967295\r\n\r\nx'),
  ascii('PROXY TCP4 127.0.0.1 127.0.0.1 40000 80\r\n'),
  Uint8Array.from(PROXY_2),
  ascii('SSH-2.0-attack\r\n'),
  ascii('EHLO localhost\r\nMAIL FROM:<a@localhost>\r\n'),
  ascii('*1\r\n$4\r\nPING\r\n'),
];
