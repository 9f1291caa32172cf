# syntax=docker/dockerfile:1

# The executable is made on the builder's own platform for the one that is asked for: Deno compiles
# for another architecture, so no emulation is needed.
FROM --platform=$BUILDPLATFORM denoland/deno:2.9.6 AS build
ARG TARGETARCH
WORKDIR /build
COPY deno.json deno.lock main.ts ./
COPY src src
COPY deploy/compile.ts deploy/compile.ts
RUN case "$TARGETARCH" in \
      amd64) target=x86_64 ;; \
      arm64) target=aarch64 ;; \
      *) echo "TARGETARCH is \"$TARGETARCH\", but should be amd64 or arm64" >&2; exit 1 ;; \
    esac \
 && deno task compile --target "$target" \
 && mv dist/otaflux-*-linux-"$target" dist/otaflux

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/dist/otaflux /usr/local/bin/otaflux
USER nonroot
EXPOSE 8080 9090
ENTRYPOINT ["/usr/local/bin/otaflux"]
