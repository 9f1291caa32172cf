/**
 * What to try next when the broker cannot be reached, in a person's words.
 *
 * @module
 */

/** What the runtime, TLS or the broker says, and what it means. The first one that fits holds. */
const ADVICE: readonly (readonly [words: RegExp, advice: string])[] = [
  [
    /not authorized/i,
    "Give the user that the broker knows by --mqtt-username, and the password by " +
    "--mqtt-password-file; or have the access list of the broker let the user read and write " +
    "below --mqtt-topic, and write below --homeassistant-discovery-prefix",
  ],
  [
    /bad user ?name|username or password/i,
    "Give the user that the broker knows by --mqtt-username, and the password by " +
    "--mqtt-password-file",
  ],
  [
    /retain not supported|reason code 154/i,
    "The broker is set up to keep no retained messages, without which devices that come later hear " +
    "nothing: have it keep them",
  ],
  [
    /QoS not supported|reason code 155/i,
    "The broker is set up to confirm no messages, so that none could be relied on: have it take QoS 1",
  ],
  [
    /packet too large|reason code 149/i,
    "The broker is set up to take only short messages: have it take 8 KB",
  ],
  [
    /protocol version/i,
    "The broker wants another version of MQTT: leave --mqtt-protocol away, then 5 and 3.1.1 are tried",
  ],
  [
    /ECONNREFUSED/,
    "Nobody listens there: see that the broker runs, and that host and port of --mqtt-url are right",
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    "This machine does not know the broker's name: look for a typing error in --mqtt-url, and at " +
    "the DNS server of this machine",
  ],
  [
    /CertificateRequired|client certificate/i,
    "The broker wants to see a certificate: give --mqtt-client-cert-path and --mqtt-client-key-path",
  ],
  [
    /altnames|does not match certificate/i,
    "The broker's certificate is for another name: use that one in --mqtt-url",
  ],
  [
    /certificate|self.signed|issuer/i,
    "The broker's certificate is not trusted: name the authority that signed it with " +
    "--mqtt-ca-cert-path",
  ],
  [
    /before secure TLS|corrupt message|wrong version number/i,
    "The port may be one without TLS: want mqtt:// or ws:// in --mqtt-url",
  ],
  [
    /^connection closed|ECONNRESET|EPIPE/,
    "The port may be one for TLS, mqtts:// or wss://, or of another protocol; or the broker has " +
    "ended, or does not know the user: look at its log",
  ],
  [
    /keepalive timeout/i,
    "The broker does not answer any more: see whether it stands still, as RabbitMQ does when memory " +
    "or disk are short, and look for a firewall between",
  ],
  [
    /timeout|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/i,
    "Nothing answers there: look at host and port of --mqtt-url, and for a firewall between",
  ],
  [
    /identifier/i,
    "The broker refuses our name: leave client_id away in --mqtt-url, or give another",
  ],
  [
    /reason code 142/,
    "Somebody else has come with our name, and thrown us out: leave client_id away in --mqtt-url, " +
    "or give each its own",
  ],
];

/**
 * Says what to try next.
 *
 * @param reason Why the broker cannot be reached, as it is logged.
 * @returns A sentence without full stop.
 */
export function adviseBroker(reason: string): string {
  return ADVICE.find(([words]) => words.test(reason))?.[1] ??
    "See that the broker runs and accepts the user, and what its log says";
}
