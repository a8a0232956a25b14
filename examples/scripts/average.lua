--- loki:
--- description = "Mean of a sensor over n readings"
--- parameters = [
---   { name = "sensor", type = "string", required = true, description = "Sensor id" },
---   { name = "n", type = "integer", required = false, default = 5, minimum = 1, maximum = 100 },
--- ]
--- return_type = "number"
---
--- [limits]
--- max_execution_time_ms = 2000
--- max_memory_mb = 4
---
--- [permissions]
--- sensors = ["*"]

local sum = 0.0
for _ = 1, params.n do
  sum = sum + fenrir:sensor_read(params.sensor)
end
return sum / params.n
