from busybox as base
run echo hi
copy --from=base a b
onbuild run x
healthcheck none
Expose 80
