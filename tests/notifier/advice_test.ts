import assert from "node:assert/strict";
import { adviseBroker } from "../../src/notifier/advice.ts";

for (
  const [reason, advice] of [
    ["Connection refused: Not authorized", /--mqtt-username, and the password by --mqtt-pass/],
    ["Connection refused: Bad username or password", /--mqtt-username/],
    ["Connection refused: Bad User Name or Password", /--mqtt-username/],
    ["connect ECONNREFUSED 127.0.0.1:1883", /^Nobody listens there: see that the broker runs/],
    ["getaddrinfo ENOTFOUND brokr.example", /does not know the broker's name/],
    ["received fatal alert: CertificateRequired", /--mqtt-client-cert-path and --mqtt-client-key/],
    ["Hostname/IP does not match certificate's altnames: IP: 10.0.0.1 is not", /another name/],
    ["unable to verify the first certificate", /--mqtt-ca-cert-path$/],
    ["self-signed certificate", /--mqtt-ca-cert-path$/],
    ["Client network socket disconnected before secure TLS connection was", /without TLS/],
    ["connection closed", /one for TLS, mqtts:\/\//],
    ["read ECONNRESET", /one for TLS, mqtts:\/\//],
    ["connack timeout", /a firewall between$/],
    ["Connection refused: Identifier rejected", /client_id/],
    ["broker ended the connection with reason code 139", /what its log says$/],
  ] as const
) {
  Deno.test(`adviseBroker() has advice for "${reason}"`, () => {
    assert.match(adviseBroker(reason), advice);
    assert.match(adviseBroker(reason), /[^.?!]$/);
  });
}
