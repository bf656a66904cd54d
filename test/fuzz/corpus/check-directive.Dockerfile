# syntax=docker/dockerfile:1.7
# check=skip=JSONArgsRecommended,StageNameCasing;error=true;experimental=all
FROM scratch AS Base
CMD echo hi
