/**
 * What to try next when the broker cannot be reached, in a person's words.
 *
 * @module
 */

/** What the runtime, TLS or the broker says, and what it means. The first one that fits holds. */
const ADVICE: readonly (readonly [words: RegExp, advice: string])[] = [
  [
    /not authorized|bad user ?name|username or password/i,
    "Give the user that the broker knows by --mqtt-username, and the password by " +
    "--mqtt-password-file",
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
    "ended: look at its log",
  ],
  [
    /timeout|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/i,
    "Nothing answers there: look at host and port of --mqtt-url, and for a firewall between",
  ],
  [
    /identifier/i,
    "The broker refuses our name: leave client_id away in --mqtt-url, or give another",
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
