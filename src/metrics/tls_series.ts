/**
 * The series of the certificate that devices see.
 *
 * @module
 */

import { Gauge, type Registry } from "prom-client";

/** What is read each time that the metrics are. */
export interface CertificateReadings {
  /** The last moment at which the certificate in use is valid; undefined without one. */
  readonly validTo: Date | undefined;
}

/** Says until when devices accept the certificate. */
export class TlsSeries {
  #readings: CertificateReadings = { validTo: undefined };

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const readings = (): CertificateReadings => this.#readings;
    new Gauge({
      name: "tls_certificate_expiry_time_seconds",
      help: "When the certificate that devices see expires, in seconds since 1970; absent without.",
      registers: [registry],
      collect(): void {
        // Without a certificate 0 would say that it has expired.
        this.remove();
        const { validTo } = readings();
        if (validTo !== undefined) this.set(validTo.getTime() / 1000);
      },
    });
  }

  /**
   * Says where the date is read.
   *
   * @param readings The server's: it is of what is in use when the metrics are read.
   */
  observe(readings: CertificateReadings): void {
    this.#readings = readings;
  }
}
