# syntax=docker/dockerfile:1

# The executable is made on the builder's own platform for the one that is asked for: Deno compiles
# for another architecture, so no emulation is needed.
FROM --platform=$BUILDPLATFORM denoland/deno:2.9.6 AS build
ARG TARGETARCH
# What --version names; the history is not part of what is built here:
# docker build --build-arg COMMIT="$(git describe --always --dirty --abbrev=12)" .
ARG COMMIT=
WORKDIR /build
COPY deno.json deno.lock main.ts ./
COPY src src
COPY deploy/compile.ts deploy/compile.ts
RUN case "$TARGETARCH" in \
      amd64) target=x86_64 ;; \
      arm64) target=aarch64 ;; \
      *) echo "TARGETARCH is \"$TARGETARCH\", but should be amd64 or arm64" >&2; exit 1 ;; \
    esac \
 && OTAFLUX_COMMIT="$COMMIT" deno task compile --target "$target" \
 && mv dist/otaflux-*-linux-"$target" dist/otaflux \
 && mkdir dist/cache

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/dist/otaflux /usr/local/bin/otaflux
# A volume that is mounted here takes over whose it is. Without a volume nothing is written, so that
# the root may be read-only: set CACHE_DIR to this folder together with one.
COPY --from=build --chown=65532:65532 /build/dist/cache /var/cache/otaflux
# "nonroot" as a number: Kubernetes cannot tell by a name that it is not root.
USER 65532:65532
EXPOSE 8080 9090
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["/usr/local/bin/otaflux", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/otaflux"]
