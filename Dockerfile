# `make image` builds this file, passes version and commit, and rejects a base image without a digest. `docker build .`
# works too.
#
# BUILD_IMAGE contains the Node version in .nvmrc. RUNTIME_IMAGE contains the C++ library, but no shell and no package
# manager.
ARG BUILD_IMAGE=docker.io/library/node:26.10.0-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:latest

FROM ${BUILD_IMAGE} AS build
# Make a pipeline fail when any of its commands fails.
SHELL ["/bin/bash", "-o", "errexit", "-o", "pipefail", "-c"]
WORKDIR /build

# Node requires libatomic, and the runtime base does not contain it
# (https://github.com/GoogleContainerTools/distroless/issues/1981). The directory of libatomic in Debian depends on the
# processor architecture. Copy it to /usr/lib, which the loader searches on every architecture.
RUN libraries=$(ldd /usr/local/bin/node); \
    if [[ $libraries == *libatomic*"not found"* ]]; then \
      apt-get update; \
      apt-get install -y --no-install-recommends libatomic1; \
      rm -rf /var/lib/apt/lists/*; \
    fi; \
    mkdir -p /out/usr/lib; \
    ldd /usr/local/bin/node | sed -n 's/.*libatomic.* => \(.*\) (.*/\1/p' | xargs -r cp -L -t /out/usr/lib

# Install the packages before copying the sources, so a change of the sources does not download them again.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --include=optional && rm -rf /root/.npm

COPY tsconfig.json ./
COPY scripts scripts
COPY pkg pkg
COPY config config
COPY internal internal
COPY src src
# The context has no Git history, so these arguments provide the output of `app version`.
ARG COMMIT
ARG SOURCE_DATE_EPOCH
RUN node scripts/build.ts bundle \
    && node scripts/build.ts executable \
    && mkdir /out/licenses \
    && mv dist/app /out/ \
    && mv dist/THIRD_PARTY_LICENSES /out/licenses/

FROM ${RUNTIME_IMAGE}
COPY --from=build /out/ /

ENV NODE_ENV=production
# A numeric user lets an orchestrator verify that the user is not root.
USER 65532:65532
# The port of the service and the port of its metrics. Do not publish the second port.
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
# Checks the liveness only: some engines restart an unhealthy container, and a restart does not repair a dependency.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/app", "healthcheck", "--live"]
ENTRYPOINT ["/app"]

ARG NAME=unknown
ARG VERSION=unknown
ARG COMMIT=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
ARG LICENSES=unknown
LABEL org.opencontainers.image.title="$NAME" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="$LICENSES"
