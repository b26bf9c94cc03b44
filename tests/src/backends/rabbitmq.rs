//! RabbitMQ, with a port mapper of its own: the one Erlang would start stays behind.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;

use super::{Kind, Place, programs};

/// A broker with one node and the user `guest`. Durable queues survive a kill.
#[derive(Clone, Copy, Debug, Default)]
pub struct RabbitMq;

impl Kind for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    /// AMQP, the distribution of Erlang, its port mapper.
    fn ports(&self) -> usize {
        3
    }

    fn user(&self) -> &'static str {
        "rabbitmq"
    }

    fn prepare(&self, place: &Place) -> Result<(), String> {
        place.write(
            "rabbitmq.conf",
            "loopback_users = none\nvm_memory_high_watermark.relative = 0.8\ndisk_free_limit.absolute = 10MB\n",
        )?;
        place.write("enabled_plugins", "[].\n")?;
        Ok(())
    }

    fn commands(&self, place: &Place) -> Vec<Command> {
        let mapper = place.nth_port(2).to_string();
        let mut epmd = place.command(programs::find("epmd", &[]));
        epmd.args(["-port", &mapper, "-address", "127.0.0.1"]);

        let mut broker = place.command(programs::find("rabbitmq-server", &[PathBuf::from("/usr/lib/rabbitmq/bin")]));
        broker
            // The script then becomes the broker instead of waiting for it.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .env("ERL_EPMD_PORT", &mapper)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("wharf{}@localhost", place.port()))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", place.port().to_string())
            .env("RABBITMQ_DIST_PORT", place.nth_port(1).to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
            )
            .env("RABBITMQ_MNESIA_BASE", place.folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", place.folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", place.folder.join("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", place.folder.join("none.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", place.folder.join("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", place.folder.join("broker.pid"))
            .env_remove("NOTIFY_SOCKET");
        vec![epmd, broker]
    }

    /// The protocol header is answered by the method `connection.start`.
    fn ask(&self, place: &Place) -> Result<(), String> {
        let mut stream = place.connect(0)?;
        let mut answer = [0_u8; 11];
        let asked = stream
            .write_all(b"AMQP\x00\x00\x09\x01")
            .and_then(|()| stream.read_exact(&mut answer));
        match (asked, answer) {
            // A frame of type 1 (method), class 10, method 10.
            (Ok(()), [1, .., 0, 10, 0, 10]) => Ok(()),
            (Ok(()), other) => Err(format!("found {other:?}, expected connection.start")),
            (Err(error), _) => Err(error.to_string()),
        }
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        vec![("WHARF_TEST_AMQP_URL", format!("amqp://guest:guest@127.0.0.1:{}/%2f", place.port()))]
    }
}
