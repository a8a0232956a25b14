"""What scripts see of Fenrir, as data."""

from loki.child import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)

_PIN = LuaParameter(name="pin", type=LuaType.PIN, doc="BCM number or name of a line")
_SENSOR = LuaParameter(name="id", type=LuaType.STRING, doc="Sensor id")

MODULE = LuaModule(
    name="fenrir",
    child="fenrir",
    doc="The device's hardware: lines, sensors and actuators.",
    functions=(
        LuaFunction(
            name="gpio_read",
            request="ReadPin",
            parameters=(_PIN,),
            returns=LuaType.BOOLEAN,
            permission="gpio",
            doc="Whether a line is high. Any number of runs may read one line.",
        ),
        LuaFunction(
            name="gpio_write",
            request="WritePin",
            parameters=(
                _PIN,
                LuaParameter(name="level", type=LuaType.BOOLEAN, doc="true drives it high"),
            ),
            permission="gpio",
            doc="Drives a line. The run owns it until it ends; another run's write is refused.",
        ),
        LuaFunction(
            name="sensor_read",
            request="ReadSensor",
            parameters=(_SENSOR,),
            returns=LuaType.NUMBER,
            permission="sensors",
            doc="One reading in the sensor's unit. Fails when it is outside the plausible range.",
        ),
        LuaFunction(
            name="sensor_info",
            request="DescribeSensor",
            parameters=(_SENSOR,),
            returns=LuaType.OBJECT,
            permission="sensors",
            doc="One reading as {value, unit, time, simulated}; time in seconds since 1970, UTC.",
        ),
        LuaFunction(
            name="actuator_set",
            request="SetActuator",
            parameters=(
                LuaParameter(name="id", type=LuaType.STRING, doc="Actuator id"),
                LuaParameter(
                    name="value",
                    type=LuaType.ANY,
                    doc="0 to 1 for a level such as a brightness (clamped); true, false, 1 or 0 "
                    "for a switch",
                ),
            ),
            permission="actuators",
            doc="Sets an actuator. The run owns it until it ends.",
        ),
    ),
    permissions=(
        PermissionKey(
            name="gpio",
            shape=PermissionShape.LIST,
            doc='Lines by number or name, such as [17, "led"]; either one means the same line.',
        ),
        PermissionKey(
            name="sensors",
            shape=PermissionShape.LIST,
            doc='Sensor ids and patterns of them, such as ["greenhouse_*"].',
        ),
        PermissionKey(
            name="actuators",
            shape=PermissionShape.LIST,
            doc='Actuator ids and patterns of them, such as ["fan"].',
        ),
    ),
)
