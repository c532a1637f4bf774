# Addresses of the source that a rewritten configuration still holds, as dotted paths. None is the proof that nothing on
# the target will call the site that was given up. $source: [{host, port}].
[paths(scalars) as $path | getpath($path) as $value
  | ($path | map(if type == "number" then "[\(.)]" else "." + . end) | add | ltrimstr(".")) as $name
  | select(any($source[]; . as $at
      | if ($name | test("port$"; "i")) then ($value | tostring) == ($at.port | tostring)
        elif ($value | type) != "string" then false
        else ($value | contains("\($at.host):\($at.port)")) or (($value | contains("host=\($at.host)")) and ($value | contains("port=\($at.port)"))) end))
  | $name] | join(", ")
