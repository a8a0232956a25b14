local LED = 17

local temperature = fenrir:sensor_read("greenhouse_temperature")
local too_warm = temperature > params.threshold
fenrir:gpio_write(LED, too_warm)
return { temperature = temperature, threshold = params.threshold, led = too_warm }
