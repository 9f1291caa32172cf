/**
 * What to try next where the network stands between OtaFlux and the registry, in a person's words.
 *
 * @module
 */

/** For a registry that makes no progress, or of which nothing comes back. */
export const SILENCE_ADVICE: string =
  "Something takes the connection and does not answer, or nothing is there: look for a firewall or " +
  "a proxy between, and at host and port of --registry-url; a slow registry gets more time by " +
  "--registry-timeout";

/** How a failure tells that it is not the registry which is silent, but where it has us get a token. */
export const SENT_THERE = "where the registry sends us";

/** For a token server, as the registry names it, that is none, or none that is reached from here. */
export const TOKEN_SERVER_ADVICE: string =
  "The registry itself names this address to get tokens at: set the address that it knows of itself " +
  "(ROOT_URL of Gitea and Forgejo, external_url of Harbor and GitLab) to one that works from here, " +
  "with https:// where --registry-url has it";

/** What a failure says, in the words of the runtime, and what it means. The first that fits holds. */
const ADVICE: readonly (readonly [words: RegExp, advice: string])[] = [
  [
    new RegExp(`${SENT_THERE}(?!.*certificate)`),
    `${TOKEN_SERVER_ADVICE}; if the address is right, as auth.docker.io of Docker Hub is, look for a ` +
    "firewall or a proxy between",
  ],
  [
    /InvalidContentType|corrupt message|record overflow|wrong version number/i,
    "Something answers there, but does not speak TLS: if the registry speaks http, begin " +
    "--registry-url with http:// or give --registry-insecure",
  ],
  [
    // What `openssl req -x509` makes, if it is not told otherwise.
    /CaUsedAsEndEntity/,
    "The registry's certificate is one of an authority, which must not be a server's: make it with " +
    "-addext basicConstraints=critical,CA:FALSE, and name it with --registry-ca-cert-path",
  ],
  [
    /certificate: (?:certificate )?(?:expired|not ?valid ?yet)/i,
    "The registry's certificate has expired or is not valid yet, by the clock of this machine: look " +
    "at the clock first (date), then have the certificate renewed",
  ],
  [
    /not valid for name|NotValidForName/i,
    "The registry's certificate is for another name: use that one in --registry-url",
  ],
  [
    /certificate|UnknownIssuer/i,
    "The registry's certificate is not trusted: name the authority that signed it with " +
    "--registry-ca-cert-path",
  ],
  [
    /dns|lookup|resolve/i,
    "This machine does not know the registry's name: look for a typing error in --registry-url, and " +
    "at the DNS server of this machine",
  ],
  [
    /refused/i,
    "Nobody listens there: see that the registry runs, and that host and port of --registry-url are " +
    "right",
  ],
  [
    /answered (?:408|429|5\d\d)/,
    "The registry is overloaded or fails: look at its log, and try again later",
  ],
  [/unreachable|made no progress|took more than/i, SILENCE_ADVICE],
];

/**
 * Says what to try next.
 *
 * @param reason Why the registry cannot be reached, as it is logged.
 * @returns A sentence without full stop; undefined where the words are not known.
 */
export function adviseNetwork(reason: string): string | undefined {
  return ADVICE.find(([words]) => words.test(reason))?.[1];
}
