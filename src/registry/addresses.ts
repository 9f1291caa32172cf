/**
 * Where an address leads, as far as it can be told without asking anybody for a name: what a
 * registry names is followed by us, who stand inside the network.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6890
 * @module
 */

import { BlockList, isIP } from "node:net";

/**
 * Who can be reached under an address: programs of this machine; what the cloud's provider tells
 * this machine alone, and others on its wire; the private network; or anybody, also behind a name.
 */
export type Reach = "machine" | "link" | "private" | "anywhere";

const NETWORKS: Readonly<Record<Exclude<Reach, "anywhere">, readonly string[]>> = {
  machine: ["0.0.0.0/8", "127.0.0.0/8", "::/127"],
  // The last two are where AWS and Alibaba tell a machine its secrets, besides 169.254.169.254.
  link: ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"],
  private: ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** In the order in which they are asked: an address may be of several. */
const REACHES = Object.entries(NETWORKS).map(([reach, networks]) => {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return { reach: reach as Reach, list };
});

/**
 * Tells where an address leads. Names are not resolved: what stands behind one, only its owner knows.
 *
 * @param hostname Of a URL, as `URL` has it.
 * @returns The narrowest that applies; `anywhere` for all names but those of this machine.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(reachOf("localhost"), "machine");
 * assert.equal(reachOf("169.254.169.254"), "link");
 * assert.equal(reachOf("10.0.0.1"), "private");
 * assert.equal(reachOf("registry.example"), "anywhere");
 * ```
 */
export function reachOf(hostname: string): Reach {
  // The dot at the end of a full name changes nothing about whom it names.
  if (/(?:^|\.)localhost\.?$/.test(hostname)) return "machine";
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 0) return "anywhere";
  return REACHES.find(({ list }) => list.check(address, familyOf(address)))?.reach ?? "anywhere";
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
