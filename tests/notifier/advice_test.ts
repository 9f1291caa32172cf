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
    ["Keepalive timeout", /stands still/],
    ["connack timeout", /a firewall between$/],
    ["Connection refused: Identifier rejected", /client_id/],
    [
      "Connection refused: Not authorized",
      /access list .* let the user read and write below --mqtt-topic/,
    ],
    ["Publish error: Not authorized", /access list/],
    ["Connection refused: Retain not supported", /have it keep them$/],
    ["Connection refused: QoS not supported", /QoS 1$/],
    ["Packet too large for the broker, which takes 100 bytes", /8 KB$/],
    ["broker ended the connection with reason code 149", /8 KB$/],
    ["Connection refused: Unacceptable protocol version", /leave --mqtt-protocol away/],
    ["Connection refused: Unsupported Protocol Version", /leave --mqtt-protocol away/],
    ["broker ended the connection with reason code 142", /client_id/],
    ["broker ended the connection with reason code 139", /what its log says$/],
  ] as const
) {
  Deno.test(`adviseBroker() has advice for "${reason}"`, () => {
    assert.match(adviseBroker(reason), advice);
    assert.match(adviseBroker(reason), /[^.?!]$/);
  });
}
