/**
 * Files in PEM.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { type FileAccess, invalid, readFile } from "./usage.ts";

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g;

/**
 * Reads the certificates of a file that a flag names.
 *
 * @param flag The flag.
 * @param path What it names.
 * @param files Access to it.
 * @returns One text in PEM for each, at least one.
 * @throws {UsageError} It cannot be read, or holds none.
 */
export function readCertificates(flag: string, path: string, files: FileAccess): readonly string[] {
  const certificates = readFile(flag, path, files).match(PEM_CERTIFICATE) ?? [];
  if (certificates.length === 0 || !certificates.every(isCertificate)) {
    throw invalid(flag, path, "a file with certificates in PEM");
  }
  return certificates;
}

/**
 * Reads the private key of a file that a flag names.
 *
 * @param flag The flag.
 * @param path What it names.
 * @param files Access to it.
 * @returns The key in PEM.
 * @throws {UsageError} It cannot be read, or is none without a password.
 */
export function readPrivateKey(flag: string, path: string, files: FileAccess): string {
  const key = readFile(flag, path, files);
  try {
    createPrivateKey(key);
    return key;
  } catch {
    throw invalid(flag, path, "a file with a private key in PEM, without a password");
  }
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
