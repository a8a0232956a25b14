#!/usr/bin/env escript
%%! -kernel logger_level none
%% An Erlang/OTP supervisor over one OS process, which echoes lines: the peer of the recovery scenario.
%% Prints the process's pid; then for each line of input calls it until it answers, and prints the pid.
-mode(compile).
-behaviour(supervisor).
-export([main/1, init/1, start_worker/1, handle_call/3, handle_cast/2, handle_info/2]).

main([Program | Arguments]) ->
    Command = {os:find_executable(Program), Arguments},
    {ok, _} = supervisor:start_link(?MODULE, {tree, Command}),
    serve().

serve() ->
    io:format("~w~n", [good_answer()]),
    case io:get_line("") of
        eof -> ok;
        _ -> serve()
    end.

good_answer() ->
    try gen_server:call(worker, ping, 5000)
    catch exit:_ -> timer:sleep(1), good_answer()
    end.

start_worker(Command) ->
    gen_server:start_link({local, worker}, ?MODULE, {worker, Command}, []).

init({tree, Command}) ->
    Child = #{id => worker, start => {?MODULE, start_worker, [Command]}},
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1}, [Child]}};
init({worker, {Program, Arguments}}) ->
    Port = open_port({spawn_executable, Program}, [{args, Arguments}, {line, 80}, exit_status]),
    {ok, Port}.

handle_call(ping, _From, Port) ->
    port_command(Port, "ping\n"),
    receive
        {Port, {data, {eol, "ping"}}} ->
            {os_pid, Pid} = erlang:port_info(Port, os_pid),
            {reply, Pid, Port};
        {Port, {exit_status, _}} -> {stop, died, Port}
    end.

handle_cast(_, Port) -> {noreply, Port}.

handle_info({Port, {exit_status, _}}, Port) -> {stop, died, Port}.
