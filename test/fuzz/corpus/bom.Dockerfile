# escape=`
FROM scratch
ENV a `
 b
