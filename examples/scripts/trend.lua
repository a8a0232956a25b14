local HOUR_S, MINUTE_S = 3600, 60

local temperature = fenrir:sensor_read("greenhouse_temperature")
hel:series_append("temperature", temperature)

local since = loki.now() - HOUR_S
local minutes = hel:series_aggregate("temperature", since, nil, "mean", MINUTE_S)
local highest = hel:series_aggregate("temperature", since, nil, "max")[1]
return { now = temperature, highest = highest.value, readings = highest.count, minutes = minutes }
