# leading comment

   # indented
# FROM nothing
FROM scratch # not a comment
# about base
FROM scratch AS base
#
# last
LABEL a=b # c=d
