FROM scratch
HEALTHCHECK NONE
HEALTHCHECK --interval=1h2m3s4ms --timeout=500ms --start-interval=5s CMD curl -f http://localhost/ || exit 1
HEALTHCHECK --retries=0 CMD ["x"]
HEALTHCHECK none
