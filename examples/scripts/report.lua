local sensor = "greenhouse_temperature"

local results = loki.all {
  function() return loki.call("climate", { threshold = params.threshold }) end,
  function() return loki.call("average", { sensor = sensor, n = 10 }) end,
}
return { now = results[1].temperature, led = results[1].led, mean = results[2] }
