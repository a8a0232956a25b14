for left = params.from, 1, -1 do
  print(left .. " to go")
  loki.emit(left)
  loki.progress((params.from - left) / params.from, left .. " to go")
  loki.sleep(params.interval_ms)
end
loki.progress(1, "done")
return "lift-off"
