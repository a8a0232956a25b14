local sum = 0.0
for _ = 1, params.n do
  sum = sum + fenrir:sensor_read(params.sensor)
end
return sum / params.n
